//! Sessions of browsers, by their cookies.

mod tower;

pub use tower::TowerSession;
