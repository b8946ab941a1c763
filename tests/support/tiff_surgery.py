"""Change single entries of TIFF files, to build what no writer would write."""

import struct


def entry_of(content, tag, page=0):
    """Where the 12 bytes of a tag of a page are, in a little-endian classic TIFF."""
    place = directory_of(content, page)
    count = struct.unpack_from("<H", content, place)[0]
    for number in range(count):
        entry = place + 2 + 12 * number
        if struct.unpack_from("<H", content, entry)[0] == tag:
            return entry
    raise KeyError(tag)


def directory_of(content, page=0):
    """Where the directory of a page starts."""
    place = struct.unpack_from("<I", content, 4)[0]
    for _ in range(page):
        place = struct.unpack_from("<I", content, link_of(content, place))[0]
    return place


def link_of(content, directory):
    """Where a directory has the place of the next one."""
    return directory + 2 + 12 * struct.unpack_from("<H", content, directory)[0]


def with_count(data, tag, count):
    """The file with fewer values of a tag than it has, of four bytes each and more than one."""
    content = bytearray(data)
    struct.pack_into("<I", content, entry_of(content, tag) + 4, count)
    return bytes(content)


def with_values(data, tag, values):
    """The file with other values of a tag, as many of four bytes as there were."""
    content = bytearray(data)
    place = struct.unpack_from("<I", content, entry_of(content, tag) + 8)[0]
    struct.pack_into(f"<{len(values)}I", content, place, *values)
    return bytes(content)


def with_link(data, page, target):
    """The file where a directory is said to follow page ``page`` at a place of its own."""
    content = bytearray(data)
    struct.pack_into("<I", content, link_of(content, directory_of(content, page)), target)
    return bytes(content)


def with_segment(data, number, replace):
    """The file with the bytes of a segment replaced by others, no more than there were."""
    offsets, counts = (values_of(data, pair) for pair in ((273, 324), (279, 325)))
    start, count = offsets[number], counts[number]
    new = replace(data[start : start + count])
    assert len(new) <= count
    content = bytearray(data)
    content[start : start + count] = new + bytes(count - len(new))
    return bytes(content)


def values_of(data, tags):
    """The numbers of the first of some tags that there is."""
    for tag in tags:
        try:
            entry = entry_of(data, tag)
        except KeyError:
            continue
        kind, count, place = struct.unpack_from("<HII", data, entry + 2)
        letter = {3: "H", 4: "I"}[kind]
        if struct.calcsize(letter) * count <= 4:
            place = entry + 8
        return struct.unpack_from(f"<{count}{letter}", data, place)
    raise KeyError(tags)
