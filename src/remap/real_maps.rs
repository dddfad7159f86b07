//! Real maps on real names.
