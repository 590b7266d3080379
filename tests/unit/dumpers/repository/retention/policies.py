"""Strategies for policies, and for the times of backups."""

from hypothesis import strategies as st

from dumpers.repository.retention.duration import Duration
from dumpers.repository.retention.policy import UNLIMITED, Policy, Word

COUNTS = st.integers(1, 9) | st.just(UNLIMITED)
AGES = st.builds(
    Duration,
    years=st.integers(0, 2),
    months=st.integers(0, 14),
    days=st.integers(0, 40),
    hours=st.integers(0, 50),
).filter(lambda age: not age.is_zero)
POLICIES = st.builds(
    Policy,
    counts=st.dictionaries(st.sampled_from([w for w in Word if not w.is_duration]), COUNTS),
    ages=st.dictionaries(st.sampled_from([w for w in Word if w.is_duration]), AGES),
).filter(lambda policy: bool(policy.counts or policy.ages))
