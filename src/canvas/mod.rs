//! Drawing surfaces. What is drawn is decided by `layout`; here it becomes pixels.

pub(crate) mod flame;
pub(crate) mod minimap;
pub(crate) mod painter;
pub(crate) mod row;
pub(crate) mod session;
pub(crate) mod surface;
pub(crate) mod svg;
#[cfg(all(test, target_arch = "wasm32"))]
mod tests;
pub(crate) mod theme;
pub(crate) mod waterfall;
