"""Methods whose code was released, beside that code: from the same weights, what comes out."""
