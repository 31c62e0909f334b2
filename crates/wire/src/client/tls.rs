//! Which certificates are trusted.
