//! The registry's own API.
