"""Numbers agree with what they count."""

import pytest

from blastfold.core.plurals import agreeing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 images have one colour only", "1 image has one colour only"),
        ("(1 hidden files); 2 images", "(1 hidden file); 2 images"),
        ("1 boxes are larger", "1 box is larger"),
        ("leave 1 folds left out", "leave 1 fold left out"),
        ("11 images have, 1.1 images, 2,1 images", "11 images have, 1.1 images, 2,1 images"),
        ("1 of 5 images have none", "1 of 5 images have none"),
        ("the file 'fold-1 images/a' and '1 images'", "the file 'fold-1 images/a' and '1 images'"),
    ],
)
def test_one_is_singular(text, expected):
    assert agreeing(text) == expected
