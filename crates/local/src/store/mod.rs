//! Objects in files.
