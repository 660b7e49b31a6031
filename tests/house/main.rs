//! The rules of the house, each as a test that fails with the sentence that was broken and where. CONTRIBUTING.md gives
//! the reason of each. Everything is read as text, so this runs in a second and on a tree that does not compile.

mod breaking;
mod description;
mod documents;
mod layers;
mod licences;
mod migrations;
mod names;
mod places;
mod registries;
mod rule;
mod secrets;
mod source;
mod stack;
mod tree;
mod workplace;
