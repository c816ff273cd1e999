//! Sessions: the list in any order, the viewer with its one timeline, and time travel.

mod list;
mod live;
mod page;
mod viewer;
mod world;
