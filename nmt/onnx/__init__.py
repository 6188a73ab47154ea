"""A translator without PyTorch: its two functions, ``encode`` and ``step``, as ONNX files for ONNX Runtime."""
