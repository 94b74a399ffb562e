//! The Redis under test, apart from the load on it: connecting, coordination, preflight, finish.
