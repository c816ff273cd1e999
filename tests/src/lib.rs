//! Browser tests of the whole.
