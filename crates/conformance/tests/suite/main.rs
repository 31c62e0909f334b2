//! The suite and the model test, tried on a plain store and on mutants of it.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod model;
#[cfg(test)]
mod plain;
