//! The Meshscope studio.
