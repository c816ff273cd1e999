//! Rows, viewport, level of detail, text fit. Pure.
