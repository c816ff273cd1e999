//! Drawing surfaces. What is drawn is decided by `layout`; here it becomes pixels.

pub(crate) mod surface;
pub(crate) mod theme;
pub(crate) mod waterfall;
