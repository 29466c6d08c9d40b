//! Writes an ONNX graph: the few protocol buffer messages of `onnx.proto` that a transformer needs.

/// A message under construction.
#[derive(Default, Clone)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn number(&mut self, field: u64, number: i64) {
        self.varint(field << 3);
        self.varint(number as u64);
    }

    fn float(&mut self, field: u64, number: f32) {
        self.varint(field << 3 | 5);
        self.0.extend(number.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        self.bytes(field, text.as_bytes());
    }
}

/// The type of a tensor's numbers, by its code.
#[derive(Clone, Copy)]
pub(super) enum Type {
    F32 = 1,
    U8 = 2,
    I64 = 7,
}

/// A side of an input or output: its length, or the name of one that varies.
pub(super) enum Side<'a> {
    Fixed(usize),
    Named(&'a str),
}

/// An attribute of a node.
pub(super) enum Attribute<'a> {
    Int(i64),
    Ints(&'a [i64]),
    Float(f32),
}

/// The operators of ONNX Runtime's own.
const MICROSOFT: &str = "com.microsoft";
/// The version of the standard operators.
const OPSET: i64 = 20;

/// A graph under construction.
#[derive(Default)]
pub(super) struct Graph {
    nodes: Vec<u8>,
    weights: Vec<u8>,
    ends: Vec<u8>,
    count: usize,
}

impl Graph {
    /// A name that no other value has.
    pub(super) fn fresh(&mut self) -> String {
        self.count += 1;
        format!("v{}", self.count)
    }

    pub(super) fn input(&mut self, name: &str, kind: Type, sides: &[Side<'_>]) {
        self.end(11, name, kind, sides);
    }

    pub(super) fn output(&mut self, name: &str, sides: &[Side<'_>]) {
        self.end(12, name, Type::F32, sides);
    }

    fn end(&mut self, field: u64, name: &str, kind: Type, sides: &[Side<'_>]) {
        let mut shape = Message::default();
        for side in sides {
            let mut dimension = Message::default();
            match side {
                Side::Fixed(length) => dimension.number(1, *length as i64),
                Side::Named(name) => dimension.text(2, name),
            }
            shape.bytes(1, &dimension.0);
        }
        let mut tensor = Message::default();
        tensor.number(1, kind as i64);
        tensor.bytes(2, &shape.0);
        let mut of = Message::default();
        of.bytes(1, &tensor.0);
        let mut value = Message::default();
        value.text(1, name);
        value.bytes(2, &of.0);
        let mut graph = Message(std::mem::take(&mut self.ends));
        graph.bytes(field, &value.0);
        self.ends = graph.0;
    }

    /// A constant tensor; the result is its name.
    pub(super) fn constant(&mut self, kind: Type, shape: &[usize], raw: &[u8]) -> String {
        let name = self.fresh();
        let mut tensor = Message::default();
        shape.iter().for_each(|side| tensor.number(1, *side as i64));
        tensor.number(2, kind as i64);
        tensor.text(8, &name);
        tensor.bytes(9, raw);
        let mut graph = Message(std::mem::take(&mut self.weights));
        graph.bytes(5, &tensor.0);
        self.weights = graph.0;
        name
    }

    pub(super) fn floats(&mut self, shape: &[usize], data: &[f32]) -> String {
        let raw: Vec<u8> = data.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.constant(Type::F32, shape, &raw)
    }

    pub(super) fn ints(&mut self, data: &[i64]) -> String {
        let raw: Vec<u8> = data.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.constant(Type::I64, &[data.len()], &raw)
    }

    /// A node with one output; the result is its name.
    pub(super) fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[(&str, Attribute<'_>)]) -> String {
        let name = self.fresh();
        self.named(operator, inputs, &[&name], attributes);
        name
    }

    /// A node with outputs of these names. An operator with a dot is one of ONNX Runtime's own.
    pub(super) fn named(
        &mut self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
    ) {
        let mut node = Message::default();
        inputs.iter().for_each(|input| node.text(1, input));
        outputs.iter().for_each(|output| node.text(2, output));
        node.text(4, operator.trim_start_matches('.'));
        for (name, attribute) in attributes {
            let mut message = Message::default();
            message.text(1, name);
            match attribute {
                Attribute::Int(number) => {
                    message.number(3, *number);
                    message.number(20, 2);
                }
                Attribute::Ints(numbers) => {
                    numbers.iter().for_each(|number| message.number(8, *number));
                    message.number(20, 7);
                }
                Attribute::Float(number) => {
                    message.float(2, *number);
                    message.number(20, 1);
                }
            }
            node.bytes(5, &message.0);
        }
        if operator.starts_with('.') {
            node.text(7, MICROSOFT);
        }
        let mut graph = Message(std::mem::take(&mut self.nodes));
        graph.bytes(1, &node.0);
        self.nodes = graph.0;
    }

    /// The whole file.
    pub(super) fn file(self, name: &str) -> Vec<u8> {
        let mut graph = Message(self.nodes);
        graph.text(2, name);
        graph.0.extend(self.weights);
        graph.0.extend(self.ends);
        let mut model = Message::default();
        model.number(1, 10);
        model.text(2, "aura-engine");
        model.bytes(7, &graph.0);
        for (domain, version) in [("", OPSET), (MICROSOFT, 1)] {
            let mut set = Message::default();
            set.text(1, domain);
            set.number(2, version);
            model.bytes(8, &set.0);
        }
        model.0
    }
}
