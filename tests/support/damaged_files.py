"""Small whole files of every format that is read, and ways to damage them."""

import io
import json
import random
import zlib
from pathlib import Path

import h5py
import numpy as np
import tifffile
from PIL import Image

WORDS = [
    *("", "NA", "nan", "inf", "-1", "1e30", "1e999", "0", "999999999999999999999", "\u0660\u0661"),
    *('"', "'", "\r", "\n", "\r\n", "\t", ",", ";", "\0", "\ufeff", "\u2028", "\\", "../..", "/"),
    *("!!python/object:os.system", "&a [*a]", "*b", "<<: {}", "- x", "? y", "{}", "[]", "~", "yes"),
    "x" * 5000,
]
"""What people and programs leave in text files."""


MARKUP = [
    *("9" * 400, "1" * 5000, "1e400", "NaN", "Infinity", "true", "null", '"\\ud800"', "\\ud800"),
    *("&a;", "&#0;", "&lt;", "<a/>", "<!-- -->", "<![CDATA[x]]>", "<?x?>", "[" * 3000, '{"a":' * 9),
    *('<?xml version="1.0" encoding="x"?>', '<?xml version="1.0" encoding="utf-7"?>'),
    '<!DOCTYPE a [<!ENTITY a "xxxxx"><!ENTITY b SYSTEM "file:///etc/hostname">]>',
]
"""What breaks XML and JSON."""


def draw(height=40, width=56, seed=1):
    """A colour picture with noise, uint8 (height, width, 3)."""
    rows, columns = np.mgrid[:height, :width]
    waves = np.sin(rows[..., None] / 9 + columns[..., None] / 13 + np.arange(3))
    noise = np.random.default_rng(seed).normal(0, 9, waves.shape)
    return (127 + 90 * waves + noise).clip(0, 255).astype(np.uint8)


def encode(image, kind, mode="RGB", **options):
    stream = io.BytesIO()
    Image.fromarray(image).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


def encode_tiff(*images, **options):
    """Write a TIFF of one or several pages."""
    stream = io.BytesIO()
    with tifffile.TiffWriter(
        stream, **{k: options.pop(k) for k in ("bigtiff", "byteorder", "ome") if k in options}
    ) as writer:
        for number, image in enumerate(images):
            more = {"subfiletype": 1} if number else {}
            writer.write(image, **{"photometric": "rgb", "metadata": None, **options, **more})
    return stream.getvalue()


def bmp_files():
    return [encode(draw(), "BMP", mode) for mode in ("RGB", "P", "L", "RGBA")]


def png_files():
    sixteen = io.BytesIO()
    Image.fromarray(draw()[..., 0].astype(np.uint16) * 257).save(sixteen, "PNG")
    return [encode(draw(), "PNG", mode) for mode in ("RGB", "P", "L", "RGBA", "LA")] + [
        sixteen.getvalue()
    ]


def jpeg_files():
    exif = Image.Exif()
    exif[274] = 6
    return [
        encode(draw(), "JPEG"),
        encode(draw(), "JPEG", "L"),
        encode(draw(), "JPEG", progressive=True),
        encode(draw(), "JPEG", subsampling=0, restart_marker_rows=1, exif=exif),
    ]


def tiff_files():
    image, tiles = draw(), {"tile": (16, 16)}
    planes = np.ascontiguousarray(np.moveaxis(image, -1, 0))
    return [
        encode_tiff(image),
        encode_tiff(image, compression="lzw", predictor=True, rowsperstrip=7),
        encode_tiff(image, compression="deflate", **tiles),
        encode_tiff(image, compression="jpeg", **tiles),
        encode_tiff(image, compression="jpeg2000", **tiles),
        encode_tiff(image, compression="webp", **tiles),
        encode_tiff(image, compression="packbits"),
        encode_tiff(image, bigtiff=True, byteorder=">"),
        encode_tiff(planes, planarconfig="separate", compression="zstd"),
        encode_tiff(image, image[::2, ::2]),
        encode(image, "TIFF", "P"),
        encode(image, "TIFF", "RGBA", compression="tiff_lzw"),
    ]


APERIO = "Aperio Image Library v11\n410x300 (64x64) |AppMag = 40|MPP = 0.2525"
PHILIPS = """<?xml version="1.0" encoding="UTF-8" ?>
<DataObject ObjectType="DPUfsImport">
<Attribute Name="PIM_DP_SCANNED_IMAGES" Group="0x301D" Element="0x1003" PMSVR="IDataObjectArray">
<Array><DataObject ObjectType="DPScannedImage">
<Attribute Name="PIM_DP_IMAGE_TYPE" Group="0x301D" Element="0x1004" PMSVR="IString">WSI</Attribute>
<Attribute Name="DICOM_PIXEL_SPACING" Group="0x0028" Element="0x0030" PMSVR="IDoubleArray">\
"0.000243" "0.000243"</Attribute>
</DataObject></Array></Attribute>
</DataObject>"""


def slide_files():
    """Small slides of every form, by the ending of their names."""
    image = draw(150, 210)
    half = np.ascontiguousarray(image[::2, ::2])
    tiles = {"tile": (64, 64)}
    opaque = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    aperio = {"description": APERIO, **tiles}
    return [
        encode_tiff(image, half, compression="jpeg", **aperio),
        encode_tiff(image, half, compression="APERIO_JP2000_RGB", **aperio),
        encode_tiff(
            image, half, compression="deflate", resolution=(4e4, 4e4), resolutionunit=3, **tiles
        ),
        encode_tiff(
            image,
            half,
            compression="jpeg",
            software="Philips DP v1.0",
            description=PHILIPS,
            **tiles,
        ),
        encode_tiff(opaque, compression="lzw", extrasamples=["unassalpha"], **tiles),
        ome_tiff(image, half),
        sparse_tiff(image),
    ]


def ome_tiff(image, half):
    stream = io.BytesIO()
    options = {"tile": (64, 64), "photometric": "rgb", "compression": "deflate"}
    facts = {"axes": "YXS", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    with tifffile.TiffWriter(stream, ome=True) as writer:
        writer.write(image, subifds=1, metadata=facts, **options)
        writer.write(half, subfiletype=1, **options)
    return stream.getvalue()


def sparse_tiff(image, side=64, empty=(1, 4)):
    """A tiled TIFF whose numbered tiles have no bytes, as scanners leave out glass."""
    height, width = image.shape[:2]
    padded = np.pad(image, [(0, -height % side), (0, -width % side), (0, 0)], mode="edge")
    tiles = [
        np.ascontiguousarray(padded[y : y + side, x : x + side])
        for y in range(0, height, side)
        for x in range(0, width, side)
    ]
    for number in empty:
        tiles[number] = None
    stream = io.BytesIO()
    tifffile.imwrite(
        stream,
        iter(tiles),
        shape=image.shape,
        dtype=np.uint8,
        tile=(side, side),
        photometric="rgb",
        compression="deflate",
    )
    return stream.getvalue()


def hdf5_files():
    """Files of patches and labels in one, stored as a whole and in compressed chunks."""
    files = []
    patches = np.stack([draw(32, 32, seed) for seed in range(6)])
    for options in ({}, {"chunks": (2, 32, 32, 3), "compression": "gzip"}):
        stream = io.BytesIO()
        with h5py.File(stream, "w") as archive:
            archive.create_dataset("x", data=patches, **options)
            archive["y"] = np.array([0, 1, 0, 1, 0, 1], np.uint8).reshape(-1, 1, 1, 1)
        files.append(stream.getvalue())
    return files


def centroid_files():
    return [b"", b"120 45\n", b"12.5\t13\r\n900 1\r\n", "\ufeff10, 20\n30, 40\n".encode()]


def sheet_files():
    header = "path{0}label{0}subject{0}image_id\n"
    rows = "".join(f"a/{n}.png{{0}}{n % 2}{{0}}S{n // 2}{{0}}i{n}\n" for n in range(6))
    texts = [(header + rows).format(separator) for separator in "\t,;"]
    preliminary = (
        "Patient_ID,new_names,labels\nUID_57_29_1_all.bmp,1.bmp,1\nUID_H49_3_1_hem.bmp,2.bmp,0\n"
    )
    slides = (
        "slide\tpath\tlabel\tsubject\tmpp\ns1\ta.svs\tnormal\tP1\t0.5\ns2\tb.svs\tblast\tP2\t\n"
    )
    slides_of_patches = ",coord_y,wsi\n0,5,camelyon16_test_001\n1,7,camelyon16_test_002\n"
    regions = (
        "slide\tlabel\tx\ty\twidth\theight\ns1\tblast\t0\t0\t100\t50.5\ns2\tnormal\t-3\t4\t9\t9\n"
    )
    return [text.encode() for text in (*texts, preliminary, slides, slides_of_patches, regions)]


BOXES = (
    *(("a/0.png", "RBC", (4, 5, 24, 30)), ("a/0.png", "WBC", (20, 10, 50, 38))),
    *(("a/1.png", "RBC", (0, 0, 9.5, 12)), ("a/1.png", "WBC", (30, 8, 56, 40))),
)
"""Photograph, label and corners of cells."""


def voc_files():
    """One Pascal VOC file per photograph, in two usual spellings."""
    plain = "<object><name>{}</name><bndbox>{}</bndbox></object>"
    long = (
        "\n\t<object>\n\t\t<name>{}</name>\n\t\t<pose>Unspecified</pose>\n\t\t"
        "<truncated>0</truncated>\n\t\t<bndbox>{}</bndbox>\n\t</object>"
    )
    files = []
    for start, form in (("", plain), ('<?xml version="1.0" encoding="utf-8"?>\n', long)):
        objects = "".join(form.format(label, _corners(box)) for _, label, box in BOXES[:2])
        size = "<size><width>56</width><height>40</height><depth>3</depth></size>"
        files.append(
            f"{start}<annotation><folder>a</folder><filename>0.png</filename>{size}{objects}"
            "</annotation>"
        )
    return [text.encode() for text in files]


def _corners(box):
    names = ("xmin", "ymin", "xmax", "ymax")
    return "".join(f"<{name}>{value}</{name}>" for name, value in zip(names, box, strict=True))


def coco_files():
    """COCO files, with everything that the format has and with the least."""
    annotations = [
        {
            "id": number,
            "image_id": int(photograph[2]),
            "category_id": 1 + (label == "WBC"),
            "bbox": [left, top, right - left, bottom - top],
        }
        for number, (photograph, label, (left, top, right, bottom)) in enumerate(BOXES)
    ]
    content = {
        "images": [{"id": n, "file_name": f"{n}.png", "width": 56, "height": 40} for n in (0, 1)],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "RBC"}, {"id": 2, "name": "WBC", "supercategory": "cell"}],
    }
    more = {"info": {"year": 2020, "description": "ü"}, "licenses": [{"id": 1}], **content}
    return [json.dumps(content).encode(), json.dumps(more, indent=1, ensure_ascii=False).encode()]


def box_sheets():
    """CSV files of boxes: corners, and sizes with other names of the columns."""
    texts = ["filename,cell_type,xmin,ymin,xmax,ymax\n", "image;label;x;y;w;h\r\n"]
    for photograph, label, (left, top, right, bottom) in BOXES:
        texts[0] += f"{photograph},{label},{left},{top},{right},{bottom}\n"
        texts[1] += f"{photograph};{label};{left};{top};{right - left};{bottom - top}\r\n"
    return [text.encode() for text in texts]


def config_files():
    repository = Path(__file__).resolve().parents[2]
    return [
        path.read_bytes()
        for path in (repository / "config.yaml", *sorted((repository / "config").glob("*.yaml")))
    ]


def damage(data, others, rng):
    """Damage a binary file in one to four places.

    Args:
        data: The file.
        others: Further files, parts of which are spliced in.
        rng: random.Random.
    """
    content = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        _damage_once(content, others, rng)
    return bytes(content)


def _damage_once(content, others, rng):
    # Headers decide most, and are a small part of a file.
    end = min(len(content), 400) if rng.random() < 0.6 else len(content)
    place = rng.randrange(max(1, end))
    kind = rng.randrange(8)
    if kind == 0:
        content[place : place + 1] = bytes([rng.randrange(256)])
    elif kind == 1 and place < len(content):
        content[place] ^= 1 << rng.randrange(8)
    elif kind == 2:
        size = rng.choice((1, 2, 4, 8))
        value = rng.choice(
            (0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1) - 1, len(content), place)
        )
        number = (value % 2 ** (8 * size)).to_bytes(size, rng.choice(("little", "big")))
        content[place : place + size] = number
    elif kind == 3:
        del content[place:]
        content += rng.choice((b"", b"", b"\xff\xd9", bytes(50)))
    elif kind == 4:
        del content[place : place + rng.randrange(1, 60)]
    elif kind == 5:
        part = content[place : place + rng.randrange(1, 200)]
        content[place:place] = part * rng.randrange(1, 4)
    elif kind == 6:
        other = rng.choice(others)
        start = rng.randrange(len(other) + 1)
        content[place : place + 50] = other[start : start + rng.randrange(1, 200)]
    else:
        content[place : place + 20] = rng.randbytes(20)


def damage_png(data, others, rng):
    """Damage a PNG; in half of the files the checksums are made right again."""
    content = bytearray(damage(data, others, rng))
    if rng.random() < 0.5:
        return bytes(content)
    place = 8
    while place + 12 <= len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        end = place + 8 + length
        if end + 4 > len(content):
            break
        content[end : end + 4] = zlib.crc32(content[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(content)


def damage_text(data, others, rng, separators="\n\t,;: ", words=WORDS):
    """Damage a text file: words and lines exchanged, removed and repeated; now and then bytes."""
    if rng.random() < 0.2:
        return damage(data, others, rng)
    text = data.decode("utf-8")
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = [place for place, sign in enumerate(text) if sign in separators] or [0]
        place = rng.choice(places) + rng.randrange(2)
        end = next((one for one in places if one > place), len(text))
        kind = rng.randrange(4)
        if kind == 0:
            text = text[:place] + rng.choice(words) + text[end:]
        elif kind == 1:
            text = text[:place] + rng.choice(words) + text[place:]
        elif kind == 2:
            text = text[:place] + text[end:]
        else:
            line = rng.choice(text.splitlines(keepends=True) or [""])
            text = text[:place] + line + text[place:]
    coding = rng.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"))
    return text.encode(coding, errors="replace")


def damage_markup(data, others, rng):
    """Damage XML or JSON between its signs."""
    words = [*WORDS, *MARKUP]
    return damage_text(data, others, rng, separators="\n\t,;: <>[]{}", words=words)


def inputs(files, change, seed, first, count):
    """Yield ``count`` damaged files from number ``first``, the same ones for the same seed."""
    for number in range(first, first + count):
        rng = random.Random(f"{seed} {number}")
        yield change(rng.choice(files) if files else b"", files, rng)
