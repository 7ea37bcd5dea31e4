"""What a model package is and when it is to be trusted: statement, signatures, files. Rules, and reading folders."""
