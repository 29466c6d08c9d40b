//! The encoder and the decoder of Whisper as ONNX graphs.

use std::io;

use super::ct2::{self, Array, Model};
use super::proto::{Attribute, Graph, Side, Type};

/// A graph and the model whose weights it gets.
struct Builder<'a> {
    graph: Graph,
    model: &'a Model,
    /// The weights that share a scale.
    block: usize,
}

impl Builder<'_> {
    fn vector(&mut self, name: &str) -> io::Result<String> {
        let Array { shape, data } = self.model.array(name)?;
        Ok(self.graph.floats(&shape, &data))
    }

    fn norm(&mut self, x: &str, name: &str) -> io::Result<String> {
        let (gamma, beta) = (self.vector(&format!("{name}/gamma"))?, self.vector(&format!("{name}/beta"))?);
        let epsilon = ("epsilon", Attribute::Float(1e-5));
        Ok(self.graph.node("LayerNormalization", &[x, &gamma, &beta], &[("axis", Attribute::Int(-1)), epsilon]))
    }

    fn linear(&mut self, x: &str, name: &str) -> io::Result<String> {
        let (rows, columns, data) = self.model.matrix(&format!("{name}/weight"))?;
        let (weight, scales) = self.blocks(rows, columns, &data)?;
        let product = self.product(x, &weight, &scales, rows, columns);
        let bias = self.vector(&format!("{name}/bias"))?;
        Ok(self.graph.node("Add", &[&product, &bias], &[]))
    }

    /// The weights of a matrix in blocks of 8-bit numbers, and their scales.
    fn blocks(&mut self, rows: usize, columns: usize, data: &[f32]) -> io::Result<(String, String)> {
        if !columns.is_multiple_of(self.block) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a matrix has {columns} columns")));
        }
        let mut scales = Vec::with_capacity(data.len() / self.block);
        let mut raw = Vec::with_capacity(data.len());
        for values in data.chunks(self.block) {
            let scale = values.iter().fold(0.0_f32, |most, value| most.max(value.abs())) / 127.0;
            scales.push(scale);
            raw.extend(values.iter().map(|value| ((value / scale.max(1e-12)).round() + 128.0) as u8));
        }
        let per_row = columns / self.block;
        let weight = self.graph.constant(Type::U8, &[rows, per_row, self.block], &raw);
        Ok((weight, self.graph.floats(&[rows, per_row], &scales)))
    }

    /// `x` times the transpose of a matrix in blocks.
    fn product(&mut self, x: &str, weight: &str, scales: &str, rows: usize, columns: usize) -> String {
        let attributes = [
            ("K", Attribute::Int(columns as i64)),
            ("N", Attribute::Int(rows as i64)),
            ("bits", Attribute::Int(8)),
            ("block_size", Attribute::Int(self.block as i64)),
            // The activations become 8-bit numbers, too.
            ("accuracy_level", Attribute::Int(4)),
        ];
        self.graph.node(".MatMulNBits", &[x, weight, scales], &attributes)
    }

    fn add(&mut self, a: &str, b: &str) -> String {
        self.graph.node("Add", &[a, b], &[])
    }

    /// Cuts the last side into `count` equal parts.
    fn split(&mut self, x: &str, count: usize) -> Vec<String> {
        let parts: Vec<String> = (0..count).map(|_| self.graph.fresh()).collect();
        let names: Vec<&str> = parts.iter().map(String::as_str).collect();
        let attributes = [("axis", Attribute::Int(-1)), ("num_outputs", Attribute::Int(count as i64))];
        self.graph.named("Split", &[x], &names, &attributes);
        parts
    }

    fn feed_forward(&mut self, x: &str, name: &str) -> io::Result<String> {
        let norm = self.norm(x, &format!("{name}/layer_norm"))?;
        let inner = self.linear(&norm, &format!("{name}/linear_0"))?;
        let inner = self.graph.node(".Gelu", &[&inner], &[]);
        let outer = self.linear(&inner, &format!("{name}/linear_1"))?;
        Ok(self.add(x, &outer))
    }
}

const ENCODER_POSITIONS: &str = "encoder/position_encodings/encodings";

/// The encoder. It also returns the keys and values that the decoder's layers compute from its output, so that this is done once.
pub(super) fn encoder(model: &Model, block: usize) -> io::Result<Vec<u8>> {
    let mut b = Builder { graph: Graph::default(), model, block };
    let shape = model.array("encoder/conv1/weight")?.shape;
    let [width, mels, 3] = shape[..] else { return Err(ct2::damaged("its first convolution has another shape")) };
    let heads = model.heads("encoder")?;
    b.graph.input("input_features", Type::F32, &[Side::Fixed(1), Side::Fixed(mels), Side::Named("frames")]);
    let mut x = "input_features".to_owned();
    for (name, stride) in [("encoder/conv1", 1), ("encoder/conv2", 2)] {
        let (weight, bias) = (b.vector(&format!("{name}/weight"))?, b.vector(&format!("{name}/bias"))?);
        let attributes = [
            ("kernel_shape", Attribute::Ints(&[3])),
            ("pads", Attribute::Ints(&[1, 1])),
            ("strides", Attribute::Ints(&[stride])),
        ];
        x = b.graph.node("Conv", &[&x, &weight, &bias], &attributes);
        x = b.graph.node(".Gelu", &[&x], &[]);
    }
    x = b.graph.node("Transpose", &[&x], &[("perm", Attribute::Ints(&[0, 2, 1]))]);
    let shape = b.graph.node("Shape", &[&x], &[("start", Attribute::Int(1)), ("end", Attribute::Int(2))]);
    let positions = b.vector(ENCODER_POSITIONS)?;
    let (zero, axis) = (b.graph.ints(&[0]), b.graph.ints(&[0]));
    let positions = b.graph.node("Slice", &[&positions, &zero, &shape, &axis], &[]);
    x = b.add(&x, &positions);
    for layer in 0..model.layers("encoder") {
        let name = format!("encoder/layer_{layer}");
        let norm = b.norm(&x, &format!("{name}/self_attention/layer_norm"))?;
        let all = b.linear(&norm, &format!("{name}/self_attention/linear_0"))?;
        let parts = b.split(&all, 3);
        let heads = [("num_heads", Attribute::Int(heads as i64))];
        let attention = b.graph.node(".MultiHeadAttention", &[&parts[0], &parts[1], &parts[2]], &heads);
        let attention = b.linear(&attention, &format!("{name}/self_attention/linear_1"))?;
        x = b.add(&x, &attention);
        x = b.feed_forward(&x, &format!("{name}/ffn"))?;
    }
    let states = b.norm(&x, "encoder/layer_norm")?;
    b.graph.named("Identity", &[&states], &["last_hidden_state"], &[]);
    b.graph.output("last_hidden_state", &[Side::Fixed(1), Side::Named("states"), Side::Fixed(width)]);
    let heads = model.heads("decoder")?;
    let each = model.array("decoder/layer_norm/gamma")?.data.len() / heads;
    let shape = b.graph.ints(&[0, -1, heads as i64, each as i64]);
    for layer in 0..model.layers("decoder") {
        let both = b.linear(&states, &format!("decoder/layer_{layer}/attention/linear_1"))?;
        for (part, kind) in b.split(&both, 2).iter().zip(["key", "value"]) {
            let parted = b.graph.node("Reshape", &[part, &shape], &[]);
            let name = format!("present.{layer}.encoder.{kind}");
            b.graph.named("Transpose", &[&parted], &[&name], &[("perm", Attribute::Ints(&[0, 2, 1, 3]))]);
            let sides = [Side::Fixed(1), Side::Fixed(heads), Side::Named("states"), Side::Fixed(each)];
            b.graph.output(&name, &sides);
        }
    }
    Ok(b.graph.file("whisper-encoder"))
}

/// The decoder. It returns the scores after the last token only.
pub(super) fn decoder(model: &Model, block: usize) -> io::Result<Vec<u8>> {
    let mut b = Builder { graph: Graph::default(), model, block };
    let (tokens, width, embeddings) = model.matrix("decoder/embeddings/weight")?;
    let heads = model.heads("decoder")?;
    let layers = model.layers("decoder");
    b.graph.input("input_ids", Type::I64, &[Side::Fixed(1), Side::Named("tokens")]);
    // One table serves to look tokens up and to score them.
    let (table, scales) = b.blocks(tokens, width, &embeddings)?;
    let found = b.graph.node("Gather", &[&table, "input_ids"], &[("axis", Attribute::Int(0))]);
    let found = b.graph.node("Cast", &[&found], &[("to", Attribute::Int(Type::F32 as i64))]);
    let middle = b.graph.floats(&[1], &[128.0]);
    let found = b.graph.node("Sub", &[&found, &middle], &[]);
    let found_scales = b.graph.node("Gather", &[&scales, "input_ids"], &[("axis", Attribute::Int(0))]);
    let axis = b.graph.ints(&[3]);
    let found_scales = b.graph.node("Unsqueeze", &[&found_scales, &axis], &[]);
    let found = b.graph.node("Mul", &[&found, &found_scales], &[]);
    let flat = b.graph.ints(&[0, 0, width as i64]);
    let embedded = b.graph.node("Reshape", &[&found, &flat], &[]);
    let one_side = |at| [("start", Attribute::Int(at)), ("end", Attribute::Int(at + 1))];
    let past = b.graph.node("Shape", &["past_key_values.0.decoder.key"], &one_side(2));
    let new = b.graph.node("Shape", &["input_ids"], &one_side(1));
    let end = b.add(&past, &new);
    let positions = b.vector("decoder/position_encodings/encodings")?;
    let zero = b.graph.ints(&[0]);
    let positions = b.graph.node("Slice", &[&positions, &past, &end, &zero], &[]);
    let mut x = b.add(&embedded, &positions);
    for layer in 0..layers {
        let name = format!("decoder/layer_{layer}");
        for (side, length) in [("decoder", "past"), ("encoder", "states")] {
            for kind in ["key", "value"] {
                let sides = [Side::Fixed(1), Side::Fixed(heads), Side::Named(length), Side::Fixed(width / heads)];
                b.graph.input(&format!("past_key_values.{layer}.{side}.{kind}"), Type::F32, &sides);
            }
        }
        for kind in ["key", "value"] {
            let sides = [Side::Fixed(1), Side::Fixed(heads), Side::Named("total"), Side::Fixed(width / heads)];
            b.graph.output(&format!("present.{layer}.decoder.{kind}"), &sides);
        }
        let norm = b.norm(&x, &format!("{name}/self_attention/layer_norm"))?;
        let all = b.linear(&norm, &format!("{name}/self_attention/linear_0"))?;
        let parts = b.split(&all, 3);
        let attention = b.graph.fresh();
        let past = [format!("past_key_values.{layer}.decoder.key"), format!("past_key_values.{layer}.decoder.value")];
        let present = [format!("present.{layer}.decoder.key"), format!("present.{layer}.decoder.value")];
        let inputs = [&parts[0], &parts[1], &parts[2], "", "", "", &past[0], &past[1]];
        let causal = [("num_heads", Attribute::Int(heads as i64)), ("unidirectional", Attribute::Int(1))];
        b.graph.named(".MultiHeadAttention", &inputs, &[&attention, &present[0], &present[1]], &causal);
        let attention = b.linear(&attention, &format!("{name}/self_attention/linear_1"))?;
        x = b.add(&x, &attention);
        let norm = b.norm(&x, &format!("{name}/attention/layer_norm"))?;
        let query = b.linear(&norm, &format!("{name}/attention/linear_0"))?;
        let keys = [format!("past_key_values.{layer}.encoder.key"), format!("past_key_values.{layer}.encoder.value")];
        let heads = [("num_heads", Attribute::Int(heads as i64))];
        let attention = b.graph.node(".MultiHeadAttention", &[&query, &keys[0], &keys[1]], &heads);
        let attention = b.linear(&attention, &format!("{name}/attention/linear_2"))?;
        x = b.add(&x, &attention);
        x = b.feed_forward(&x, &format!("{name}/ffn"))?;
    }
    let (minus_one, last, axis) = (b.graph.ints(&[-1]), b.graph.ints(&[i64::MAX]), b.graph.ints(&[1]));
    x = b.graph.node("Slice", &[&x, &minus_one, &last, &axis], &[]);
    x = b.norm(&x, "decoder/layer_norm")?;
    let scores = b.product(&x, &table, &scales, tokens, width);
    b.graph.named("Identity", &[&scores], &["logits"], &[]);
    b.graph.output("logits", &[Side::Fixed(1), Side::Fixed(1), Side::Fixed(tokens)]);
    Ok(b.graph.file("whisper-decoder"))
}
