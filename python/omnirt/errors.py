"""The errors that users see. Each names the field, the value and the fix."""


class OmniError(Exception):
    """Base of every error that omnirt raises on purpose."""


class InputError(OmniError, ValueError):
    """A message, a media file or an option that cannot be used."""


class CheckpointError(OmniError, ValueError):
    """A checkpoint that is missing, incomplete, damaged or inconsistent."""


class CapacityError(OmniError, RuntimeError):
    """A request that does not fit: a prompt beyond the context, no memory left."""


class EngineError(OmniError, RuntimeError):
    """A step that failed while a reply was being made, or a runtime that was closed."""
