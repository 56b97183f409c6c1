//! Pixels of the golden examples, value by value.

mod common;

use prism_model::preprocess::Preprocessor;

#[test]
fn pixels_equal_the_slow_processor() {
    for variant in common::VARIANTS {
        let expected = common::tensors(&format!("expected/train_{variant}.safetensors"));
        let (shape, values) = &expected["pixel_values"];
        let preprocessor = Preprocessor::from_dir(&common::golden(&format!("checkpoints/{variant}"))).unwrap();
        let pixels = preprocessor.open(&common::golden("examples/images/00000.png")).unwrap();
        assert_eq!(shape, &[pixels.grid.patches(), pixels.patch_len()]);
        assert!(pixels.values.iter().map(|v| v.to_bits()).eq(values.iter().map(|v| v.to_bits())), "{variant}");
    }
}
