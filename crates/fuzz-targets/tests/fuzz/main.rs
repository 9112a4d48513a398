//! The fuzz targets on stable: over the saved inputs, and over what is made of them.

mod chance;
mod corpus;
mod made;
mod measure;
mod mutate;
mod mutations;
