//! Embeds the migrations anew when a file is added or removed; cargo sees changes of existing ones by itself.

fn main() {
    println!("cargo::rerun-if-changed=../migrations");
}
