// SPDX-License-Identifier: Apache-2.0

/// The update of the training engine: keeps the row, the model words and the exponents that the dot
/// product read, waits for the coefficient, and updates those words with the gradient's memory.
///
/// Both memories are asked for the same beat in every cycle until the coefficient is there; from
/// then on nothing waits.
module engine_update
  import bittrue_pkg::*;
#(
  /// Columns a beat, a power of two.
  parameter int unsigned Lanes = 16,
  /// Beats that a row has at most.
  parameter int unsigned MaxBeats = 64,
  /// Bits of a data word, signed.
  parameter int unsigned DataWidth = 8,
  /// Bits of a model word, signed.
  parameter int unsigned ModelWidth = 8,
  /// Rounding of an increment to the model's last bit.
  parameter rounding_e ModelRounding = STOCHASTIC,
  /// What the model does past its ends.
  parameter overflow_e ModelOverflow = SAT,
  /// Random bits a lane.
  parameter int unsigned RandomBits = 16,
  /// Add half a step of the random word where it is shorter than the cut.
  parameter bit Centered = 1'b1,
  /// Bits of the coefficient, signed.
  parameter int unsigned CoefficientWidth = 16,
  /// Bits cut from a product.
  parameter int unsigned ProductCut = 8,
  /// Rounding of that cut.
  parameter rounding_e ProductRounding = TIES_POS,
  /// Bits of an increment, and of the gradient, signed.
  parameter int unsigned IncrementWidth = 16,
  /// Bits of an increment below the model's last bit.
  parameter int unsigned IncrementFraction = 10,
  /// What an increment does past its ends.
  parameter overflow_e IncrementOverflow = SAT,
  /// Largest block exponent, 0 for none.
  parameter int unsigned MaxExponent = 0,
  /// Dependent, do not change: bits of a beat's number, a random field, an exponent.
  localparam int unsigned BeatWidth = index_width(MaxBeats),
  localparam int unsigned FieldWidth = larger(RandomBits, 1),
  localparam int unsigned ExponentWidth = index_width(MaxExponent + 1)
) (
  /// Clock.
  input  logic                        clk_i,
  /// Asynchronous reset, active low.
  input  logic                        rst_ni,
  /// High to start a loop.
  input  logic                        start_i,
  /// Number of a row's last beat.
  input  logic [BeatWidth-1:0]        last_beat_i,
  /// Lanes of it that are no padding.
  input  logic [Lanes-1:0]            last_keep_i,
  /// High if the host writes a word of the gradient.
  input  logic                        host_write_i,
  /// Its place in the window.
  input  logic [WindowWidth-1:0]      host_word_i,
  /// The word.
  input  logic [31:0]                 host_data_i,
  /// High to keep a beat.
  input  logic                        row_valid_i,
  /// Its number.
  input  logic [BeatWidth-1:0]        row_beat_i,
  /// The update's row, lane j at DataWidth*j.
  input  logic [Lanes*DataWidth-1:0]  row_i,
  /// The model, lane j at ModelWidth*j.
  input  logic [Lanes*ModelWidth-1:0] model_i,
  /// The block's exponent.
  input  logic [ExponentWidth-1:0]    exponent_i,
  /// Coefficient of the row.
  input  logic [CoefficientWidth-1:0] coefficient_i,
  /// High while it is offered.
  input  logic                        coefficient_valid_i,
  /// High in its last beat.
  output logic                        coefficient_ready_o,
  /// Random fields, lane j at FieldWidth*j.
  input  logic [Lanes*FieldWidth-1:0] random_i,
  /// High if they are used.
  output logic                        random_next_o,
  /// High if a beat of the model is written.
  output logic                        written_o,
  /// The beat, lane j at ModelWidth*j.
  output logic [Lanes*ModelWidth-1:0] updated_o,
  /// Lanes whose increment overflowed, and above them those whose model word did.
  output logic [2*Lanes-1:0]          flags_o
);

  localparam int unsigned ModelBits = Lanes * ModelWidth;
  localparam int unsigned DataBits = Lanes * DataWidth;
  localparam int unsigned GradientBits = Lanes * IncrementWidth;
  localparam int unsigned BufferBits = ExponentWidth + ModelBits + DataBits;

  logic is_last;
  logic [BeatWidth-1:0] next_beat;
  logic [BufferBits-1:0] buffered;
  logic [GradientBits-1:0] gradient;

  assign coefficient_ready_o = is_last;

  beat_counter #(
    .Width(BeatWidth)
  ) u_beat (
    .clk_i,
    .rst_ni,
    .clear_i  (start_i),
    .enable_i (coefficient_valid_i),
    .last_i   (last_beat_i),
    .beat_o   (),
    .next_o   (next_beat),
    .is_last_o(is_last)
  );

  beat_memory #(
    .Width(BufferBits),
    .Depth(MaxBeats),
    .PartWidth(BufferBits)
  ) u_buffer (
    .clk_i,
    .write_i        (row_valid_i),
    .write_address_i(row_beat_i),
    .write_data_i   ({exponent_i, model_i, row_i}),
    .read_address_i (next_beat),
    .read_data_o    (buffered)
  );

  window_memory #(
    .Width(GradientBits),
    .Depth(MaxBeats)
  ) u_gradient (
    .clk_i,
    .host_write_i,
    .host_word_i,
    .host_data_i,
    .write_i     (1'b0),
    .write_beat_i(BeatWidth'(0)),
    .write_data_i(GradientBits'(0)),
    .read_beat_i (next_beat),
    .read_data_o (gradient)
  );

  model_update #(
    .Lanes            (Lanes),
    .DataWidth        (DataWidth),
    .ModelWidth       (ModelWidth),
    .ModelRounding    (ModelRounding),
    .ModelOverflow    (ModelOverflow),
    .RandomBits       (RandomBits),
    .Centered         (Centered),
    .CoefficientWidth (CoefficientWidth),
    .ProductCut       (ProductCut),
    .ProductRounding  (ProductRounding),
    .IncrementWidth   (IncrementWidth),
    .IncrementFraction(IncrementFraction),
    .IncrementOverflow(IncrementOverflow),
    .MaxExponent      (MaxExponent)
  ) u_update (
    .clk_i,
    .rst_ni,
    .random_i,
    .random_next_o,
    .s_axis_tdata ({gradient, buffered[ModelBits+DataBits-1:0]}),
    .s_axis_tkeep (is_last ? last_keep_i : ~Lanes'(0)),
    .s_axis_tuser ({coefficient_i, buffered[BufferBits-1-:ExponentWidth]}),
    .s_axis_tlast (is_last),
    .s_axis_tvalid(coefficient_valid_i),
    .s_axis_tready(),
    .m_axis_tdata (updated_o),
    .m_axis_tkeep (),
    .m_axis_tuser (flags_o),
    .m_axis_tlast (),
    .m_axis_tvalid(written_o),
    .m_axis_tready(1'b1)
  );

endmodule
