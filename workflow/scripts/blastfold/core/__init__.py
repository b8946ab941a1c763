"""What every room uses: errors, files that appear whole, seeds by name, logs, tables of folds."""
