/* The ABI is headers only. This file lets the package manager see a C target, and proves that they compile. */
#include "roost/roost.h"
