//! What a mirror is made of, and what becomes of it.
