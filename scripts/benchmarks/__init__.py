"""The parts of the benchmarks. What measures runs in processes of its own; what starts them imports no PyTorch."""
