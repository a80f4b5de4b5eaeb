// Number
