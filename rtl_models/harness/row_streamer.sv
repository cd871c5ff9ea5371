// SPDX-License-Identifier: Apache-2.0

/// For simulation: streams rows from a file to the training engine, without a word of Python a
/// cycle.
///
/// `rows.bin` has the beats of all samples, `indices.bin` the sample of each step, 32 bits; both
/// big-endian, a beat filled up to bytes in front. A beat that is offered stays until it is taken.
module row_streamer #(
  /// Bits of a beat.
  parameter int unsigned Width = 160
) (
  /// Clock.
  input  logic             clk_i,
  /// Asynchronous reset, active low: begins again with the first step.
  input  logic             rst_ni,
  /// Beats of a row.
  input  logic [31:0]      beats_i,
  /// Of 256 cycles, how many stall on average before a beat is offered.
  input  logic [8:0]       stalls_i,
  /// Beat of a row.
  output logic [Width-1:0] tdata,
  /// High on the last beat of a row.
  output logic             tlast,
  /// High while a beat is offered.
  output logic             tvalid,
  /// High when it is taken.
  input  logic             tready
);

  localparam int unsigned Bytes = (Width + 7) / 8;

  logic [8*Bytes-1:0] beats[$];
  logic [31:0] indices[$];

  initial begin
    int file;
    logic [8*Bytes-1:0] beat;
    logic [31:0] index;
    file = $fopen("rows.bin", "rb");
    if (file != 0) while ($fread(beat, file) == int'(Bytes)) beats.push_back(beat);
    file = $fopen("indices.bin", "rb");
    if (file != 0) while ($fread(index, file) == 4) indices.push_back(index);
  end

  int unsigned step_q, beat_q;
  logic offered_q;
  logic [31:0] word;

  xorshift32 u_stalls (
    .clk_i,
    .rst_ni,
    .load_i  (1'b0),
    .seed_i  (32'd0),
    .enable_i(1'b1),
    .word_o  (word)
  );

  assign tvalid = step_q < 32'(indices.size()) && (offered_q || {1'b0, word[7:0]} >= stalls_i);
  assign tlast  = beat_q == beats_i - 32'd1;
  assign tdata  = tvalid ? Width'(beats[indices[step_q]*beats_i+beat_q]) : Width'(0);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      step_q <= 0;
      beat_q <= 0;
      offered_q <= 1'b0;
    end else begin
      offered_q <= tvalid & ~tready;
      if (tvalid & tready) begin
        beat_q <= tlast ? 0 : beat_q + 1;
        step_q <= step_q + 32'(tlast);
      end
    end
  end

endmodule
