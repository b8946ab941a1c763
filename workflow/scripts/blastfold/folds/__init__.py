"""Which images a fold trains, validates and tests on, and what is fitted on its training images."""
