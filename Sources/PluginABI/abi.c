/* The ABI is headers only; this file lets the package manager see a C target. */
