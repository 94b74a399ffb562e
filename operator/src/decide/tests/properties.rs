//! Whatever happens, in whatever order, and whenever the operator is killed.
