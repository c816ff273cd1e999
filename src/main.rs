//! Mounts the studio on the page's body.

fn main() {
    meshscope_studio::mount_to_body();
}
