"""What the store says beyond StoreError and NoSpace."""

from appliance.registry.errors import StoreError


class Damaged(StoreError):
    """Bytes that an earlier run had fetched are not what they have to be: they are dropped; fetch them again.

    No judgement on the package: a power cut may leave a file's end as rubbish.
    """
