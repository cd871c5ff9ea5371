"""ZipML: training of linear models on data, model and gradient of a few bits each (arXiv 1611.05402)."""
