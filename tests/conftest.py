"""What holds for all tests."""

from hypothesis import settings

# A slow machine is no fault of what is tested.
settings.register_profile("ksnapshot", deadline=None)
settings.load_profile("ksnapshot")
