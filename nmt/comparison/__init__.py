"""Several runs side by side on one test set.

    runs         what a run directory tells of its training, and what the runs are called
    differences  the sentences whose translations differ most
    results      scores, paired tests and speed of the runs: the comparison as JSON and as a table
    measure      how it comes about
    page         the same as one HTML page with plots
"""
