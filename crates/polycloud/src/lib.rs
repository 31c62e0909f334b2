//! polycloud
