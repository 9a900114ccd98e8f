"""What every test may ask for: the samples of real data beside the checkout, if they are there."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("ZS_CLASSIFIER", "grams")
"""The cities of the tests start without the extra's model; those that ask for it say so."""
SAMPLES = Path(os.environ.get("ZHONGSHU_DATA_SAMPLES", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def samples() -> Path:
    """Return the folder of real samples, or skip visibly."""
    if not SAMPLES.is_dir():
        pytest.skip(f"no real samples at {SAMPLES}: set ZHONGSHU_DATA_SAMPLES")
    return SAMPLES


settings.register_profile("house", derandomize=True, print_blob=True)
settings.register_profile("explore", print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))
