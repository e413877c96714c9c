//! A store of maps.
