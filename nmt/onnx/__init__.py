"""A translator without PyTorch: its two functions, ``encode`` and ``step``, as ONNX files for ONNX Runtime."""

ENCODE, ENCODE_8_BIT, PROJECT = "encode.fp32.onnx", "encode.int8.onnx", "project.int8.onnx"
STEP, STEP_8_BIT, STEP_SHORTLISTED = "step.fp32.onnx", "step.int8.onnx", "step.int8.shortlist.onnx"
