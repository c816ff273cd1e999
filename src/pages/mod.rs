//! One file or folder a page.

pub(crate) mod compare;
pub(crate) mod console;
pub(crate) mod logs;
pub(crate) mod metrics;
pub(crate) mod not_found;
pub(crate) mod session;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod trace;
pub(crate) mod traces;
pub(crate) mod usage;
