//! The host client. Today a skeleton: the crate exists so that the workspace has its final shape;
//! what it will do is described in the design of the project.
