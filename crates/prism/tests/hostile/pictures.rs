//! Pictures that a page embeds: those of the run, of its study's world, and below folders the user names; each of them bounded.

use std::fs::{self, File};
use std::io::BufWriter;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder, RgbImage};

use crate::child::{prism, readers, run};
use crate::explorer::{View, walked};
use crate::honest::{EXAMPLES, Mailed, copy, study};
use crate::tables;

/// Sides by which the private picture is known again, and that of the run.
const PRIVATE: (u32, u32) = (37, 23);
const SHOWN: (u32, u32) = (41, 29);

fn draw(path: &Path, (width, height): (u32, u32)) {
    RgbImage::from_pixel(width, height, image::Rgb([200, 30, 90])).save_with_format(path, image::ImageFormat::Png).unwrap();
}

/// Lets every example's image be that one.
fn name(mailed: &Mailed, image: &str) {
    for folder in mailed.all() {
        tables::put(&folder.join("records/examples.parquet"), "image", image);
    }
}

/// What a page and the explorer show of the run's image, and whether there is a picture of those sides among it.
fn shown(mailed: &Mailed, sides: (u32, u32), more: &[&str]) -> (Vec<String>, bool) {
    let page = mailed.beside("page.html");
    // The working directory is no run either.
    let ended = run(prism("report").arg(mailed.run()).arg("--out").arg(&page).args(more).current_dir(mailed.beside("")));
    let html = fs::read_to_string(&page).unwrap();
    let mut found = html.contains(&format!("width=\"{}\" height=\"{}\"", sides.0, sides.1));
    let view = View::over(&mailed.run(), more);
    let audit = view.audits()[0].clone();
    let mut all = vec![ended.out, ended.err, html];
    for page in ["/examples/0/image", "/examples/1/image", "/examples/0"] {
        let address = format!("/runs/{audit}{page}");
        let answer = view.get(&address);
        found |= image::load_from_memory(&answer.body).is_ok_and(|image| (image.width(), image.height()) == sides);
        all.push(format!("{address} {} {}\n{}", answer.status, answer.kind, answer.text()));
    }
    view.end();
    (all, found)
}

#[test]
fn a_picture_outside_the_run_is_a_placeholder_whether_or_not_it_exists() {
    let mailed = Mailed::new();
    let private = mailed.beside("private.png");
    let root = mailed.run();
    symlink("../private.png", root.join("link.png")).unwrap();
    symlink("..", root.join("inside")).unwrap();
    let absolute = private.to_string_lossy().into_owned();
    let climbing = format!("{}{absolute}", "../".repeat(20));
    for image in [
        absolute.as_str(),
        &format!("/proc/self/root{absolute}"),
        &format!("{}/../private.png", root.display()),
        &climbing,
        "../private.png",
        "records/../../private.png",
        "inside/../../private.png",
        "link.png",
        "inside/private.png",
        // Found in a folder above the run, or in the working directory.
        "private.png",
        "./private.png",
    ] {
        name(&mailed, image);
        draw(&private, PRIVATE);
        let (with, leaked) = shown(&mailed, PRIVATE, &[]);
        assert!(!leaked, "`{image}` is shown");
        fs::remove_file(&private).unwrap();
        let (without, _) = shown(&mailed, PRIVATE, &[]);
        for (a, b) in with.iter().zip(&without) {
            assert!(a == b, "`{image}`: what is shown depends on whether it exists");
        }
    }
}

#[test]
fn devices_pipes_and_odd_names_are_no_pictures() {
    let mailed = Mailed::new();
    assert!(std::process::Command::new("mkfifo").arg(mailed.run().join("pipe.png")).status().unwrap().success());
    let long = "x".repeat(100_000);
    for image in ["/dev/zero", "/dev/stdin", "/proc/self/environ", "pipe.png", "records", "run.json", "", ".", "/", "\n", "a\0b", &long] {
        name(&mailed, image);
        readers(&mailed.run(), &mailed.beside("page.html"));
        walked(&mailed.run());
    }
}

#[test]
fn a_picture_of_the_run_is_shown_and_one_below_a_folder_that_the_user_names() {
    let mailed = Mailed::new();
    draw(&mailed.run().join("shown.png"), SHOWN);
    name(&mailed, "shown.png");
    assert!(shown(&mailed, SHOWN, &[]).1, "a picture of the run");
    let named = mailed.beside("pictures");
    fs::create_dir(&named).unwrap();
    draw(&named.join("named.png"), SHOWN);
    draw(&mailed.beside("private.png"), PRIVATE);
    symlink("../private.png", named.join("link.png")).unwrap();
    let at = |name: &str| named.join(name).to_string_lossy().into_owned();
    let images = ["--images", &at("")];
    name(&mailed, &at("named.png"));
    assert!(!shown(&mailed, SHOWN, &[]).1, "no folder was named");
    assert!(shown(&mailed, SHOWN, &images).1, "below a folder that was named");
    for image in [at("link.png"), at("../private.png"), mailed.beside("private.png").to_string_lossy().into_owned()] {
        name(&mailed, &image);
        assert!(!shown(&mailed, PRIVATE, &images).1, "`{image}` lies outside the folder that was named");
    }
}

#[test]
fn a_run_shows_no_picture_of_another_run_nor_of_the_folder_that_holds_both() {
    let mailed = Mailed::new();
    let honest = mailed.beside("honest");
    copy(&mailed.run(), &honest);
    for private in [honest.join("private.png"), mailed.beside("private.png")] {
        draw(&private, PRIVATE);
        let page = mailed.beside("page.html");
        for image in [private.to_string_lossy().as_ref(), "private.png", "honest/private.png", "../honest/private.png"] {
            name(&mailed, image);
            run(prism("report").args([mailed.run(), honest.clone()]).arg("--out").arg(&page));
            assert!(!fs::read_to_string(&page).unwrap().contains("width=\"37\" height=\"23\""), "`{image}` is in the report");
            let both = honest.to_string_lossy();
            for (named, more) in [(mailed.beside(""), vec![]), (mailed.run(), vec![both.as_ref()])] {
                let view = View::over(&named, &more);
                for audit in view.audits() {
                    let answer = view.get(&format!("/runs/{audit}/examples/0/image"));
                    assert_ne!(answer.status, 200, "`{image}` is shown for {audit}");
                }
                view.end();
            }
        }
        fs::remove_file(private).unwrap();
    }
}

#[test]
fn a_study_shows_the_pictures_of_its_world_and_no_others_of_its_own() {
    let room = tempfile::tempdir().unwrap();
    let whole = room.path().join("study");
    let audit = study(&whole).join("audit");
    fs::create_dir_all(whole.join("world/images")).unwrap();
    draw(&whole.join("world/images/1.png"), SHOWN);
    draw(&whole.join("private.png"), PRIVATE);
    let page = room.path().join("page.html");
    let shows = |image: &str, sides: (u32, u32)| {
        tables::put(&audit.join("records/examples.parquet"), "image", image);
        run(prism("report").arg(&whole).arg("--out").arg(&page));
        let html = fs::read_to_string(&page).unwrap();
        html.contains(&format!("width=\"{}\" height=\"{}\"", sides.0, sides.1))
    };
    assert!(shows("/where/it/was/made/study/world/images/1.png", SHOWN));
    for image in ["private.png", "study/private.png", "world/../private.png"] {
        assert!(!shows(image, PRIVATE) && !shows(&whole.join(image).to_string_lossy(), PRIVATE), "{image}");
    }
}

#[test]
fn pictures_of_many_pixels_in_few_bytes_do_not_fill_memory() {
    let mailed = Mailed::new();
    let bomb: PathBuf = mailed.run().join("large.png");
    let side = 12_000;
    {
        // Never written to, this is no memory.
        let black = vec![0; side * side * 3];
        let file = BufWriter::new(File::create(&bomb).unwrap());
        let encoder = PngEncoder::new_with_quality(file, CompressionType::Default, FilterType::NoFilter);
        encoder.write_image(&black, side as u32, side as u32, ExtendedColorType::Rgb8).unwrap();
    }
    assert!(fs::metadata(&bomb).unwrap().len() < 2 << 20);
    name(&mailed, "large.png");
    readers(&mailed.run(), &mailed.beside("page.html"));
    let view = View::over(&mailed.run(), &[]);
    let audit = view.audits()[0].clone();
    std::thread::scope(|scope| {
        for request in 0..24 {
            let (view, audit) = (&view, &audit);
            scope.spawn(move || {
                let answer = view.get(&format!("/runs/{audit}/examples/{}/image", request % EXAMPLES));
                assert!(answer.status != 500, "{}", answer.text());
            });
        }
    });
    assert_eq!(view.get("/").status, 200);
    view.end();
}
