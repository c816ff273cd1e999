//! Builds the server anew when the studio that it embeds changed.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_EMBED_STUDIO").is_some() {
        println!("cargo:rerun-if-changed=../../dist/.stamp");
    }
}
