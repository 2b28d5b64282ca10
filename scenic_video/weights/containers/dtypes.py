"""Names of dtypes in the formats of weights."""

import ml_dtypes
import numpy as np

from scenic_video.weights.containers.weight_file import Malformed

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)

_NUMPY = (
    "float16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool "
    "complex64 complex128"
).split()
_OTHER = "bfloat16 float8_e4m3fn float8_e5m2 float8_e4m3b11fnuz float8_e4m3fnuz float8_e5m2fnuz"
BY_NAME = {name: np.dtype(name) for name in _NUMPY} | {
    name: np.dtype(getattr(ml_dtypes, name)) for name in _OTHER.split()
}
"""Names of NumPy, JAX and PyTorch."""

SAFETENSORS = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
    "C64": "complex64",
}

STORAGES = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}
"""Storage classes of PyTorch."""

TORCH_ALIASES = {
    "float": "float32",
    "double": "float64",
    "half": "float16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "cfloat": "complex64",
    "cdouble": "complex128",
}


def dtype_named(name: str) -> np.dtype:
    """Errors: Malformed for a dtype that weights do not have."""
    if name not in BY_NAME:
        raise Malformed(f"it has arrays of the dtype {name[:40]!r}")
    return BY_NAME[name]


def restored(dtype: np.dtype) -> np.dtype:
    """The dtype of an array that NumPy saved: bfloat16 for two bytes without a type."""
    if dtype == np.dtype("V2"):
        return BFLOAT16
    if dtype.kind not in "biufc" or dtype.hasobject:
        raise Malformed(f"it has arrays of the dtype {str(dtype)[:40]!r}")
    return dtype
