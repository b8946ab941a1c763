"""Otsu's threshold by its definition."""


def otsu_by_definition(values):
    """The threshold with the largest variance between classes, by trying all of them."""
    values = values.ravel().astype(float)
    best, chosen = -1.0, 0
    for threshold in range(255):
        low, high = values[values <= threshold], values[values > threshold]
        if low.size and high.size:
            between = low.size * high.size * (low.mean() - high.mean()) ** 2
            if between > best * (1 + 1e-12):
                best, chosen = between, threshold
    return chosen
