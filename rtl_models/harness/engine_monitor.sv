// SPDX-License-Identifier: Apache-2.0

/// For simulation: watches the stages of the training engine's loop, writes those of some steps to
/// `trace.txt`, and keeps the smallest and the largest value of each.
///
/// A line is `start`, or: stage, step, beat, all lanes in hexadecimal. The stages are t (accumulator after a
/// beat), u and c (index and coefficient of a step), p, r and a (product, random fields and
/// increment), z (model).
module engine_monitor #(
  /// Columns a beat.
  parameter int unsigned Lanes = 16,
  /// Bits of t.
  parameter int unsigned AccumulatorWidth = 32,
  /// Bits of u.
  parameter int unsigned IndexWidth = 4,
  /// Bits of c.
  parameter int unsigned CoefficientWidth = 16,
  /// Bits of p.
  parameter int unsigned ProductWidth = 17,
  /// Bits of r.
  parameter int unsigned FieldWidth = 16,
  /// Bits of a.
  parameter int unsigned IncrementWidth = 16,
  /// Bits of z.
  parameter int unsigned ModelWidth = 8
) (
  /// Clock.
  input logic                               clk_i,
  /// High when a loop starts.
  input logic                               start_i,
  /// Number of a row's last beat.
  input logic [31:0]                        last_beat_i,
  /// Lanes of the last beat that are no padding.
  input logic [Lanes-1:0]                   last_keep_i,
  /// First step to write.
  input logic [31:0]                        first_i,
  /// The step behind the last to write.
  input logic [31:0]                        stop_i,
  /// Step before which the recording of waves begins, into `dump.vcd`; all bits set for none.
  input logic [31:0]                        waves_i,
  /// High when the accumulator takes a beat.
  input logic                               accumulates_i,
  /// What it becomes.
  input logic [AccumulatorWidth-1:0]        accumulator_i,
  /// High when a coefficient's last beat is used.
  input logic                               coefficient_used_i,
  /// Coefficient.
  input logic [CoefficientWidth-1:0]        coefficient_i,
  /// Index.
  input logic [IndexWidth-1:0]              index_i,
  /// High when the update takes a beat: its products are there a cycle later.
  input logic                               update_i,
  /// Products.
  input logic [Lanes-1:0][ProductWidth-1:0] products_i,
  /// High when the update takes increments, and random fields if it uses any.
  input logic                               increments_used_i,
  /// Random fields.
  input logic [Lanes-1:0][FieldWidth-1:0]   random_i,
  /// Increments.
  input logic [Lanes-1:0][IncrementWidth-1:0] increments_i,
  /// High when model words are written.
  input logic                               written_i,
  /// Model words.
  input logic [Lanes-1:0][ModelWidth-1:0]   model_i,
  /// Smallest and largest of t at the end of a row, u, c, p, a, z, 64 bits each, the first lowest.
  output logic [11:0][63:0]                 extremes_o
);

  typedef enum int {
    T,
    U,
    C,
    P,
    A,
    Z
  } stage_e;

  int file;
  int unsigned steps[6], beats[6];
  longint low[6], high[6];
  logic products_q, waits;

  initial begin
    file = $fopen("trace.txt", "w");
    waits = 1'b0;
  end
  final $fclose(file);

  function automatic bit is_traced(stage_e stage);
    return steps[stage] >= first_i && steps[stage] < stop_i;
  endfunction

  function automatic void see(stage_e stage, longint value);
    if (value < low[stage]) low[stage] = value;
    if (value > high[stage]) high[stage] = value;
  endfunction

  function automatic bit is_kept(stage_e stage, int lane);
    return beats[stage] < last_beat_i || last_keep_i[lane];
  endfunction

  function automatic void advance(stage_e stage);
    if (beats[stage] == last_beat_i) begin
      beats[stage] = 0;
      steps[stage]++;
    end else begin
      beats[stage]++;
    end
  endfunction

  always @(posedge clk_i) begin
    products_q <= update_i;
    if (start_i) begin
      $fwrite(file, "start\n");
      waits = waves_i != 32'hffff_ffff;
      for (int k = 0; k < 6; k++) begin
        steps[k] = 0;
        beats[k] = 0;
        low[k]   = 64'h7fff_ffff_ffff_ffff;
        high[k]  = -64'h7fff_ffff_ffff_ffff;
      end
    end
    if (waits && steps[T] + 32'd1 >= waves_i) begin
      waits = 1'b0;
      $dumpfile("dump.vcd");
      $dumpvars;
    end
    if (accumulates_i) begin
      if (is_traced(T)) $fwrite(file, "t %0d %0d %h\n", steps[T], beats[T], accumulator_i);
      if (beats[T] == last_beat_i) see(T, 64'($signed(accumulator_i)));
      advance(T);
    end
    if (coefficient_used_i) begin
      if (steps[C] >= first_i && steps[C] < stop_i) begin
        $fwrite(file, "u %0d 0 %h\nc %0d 0 %h\n", steps[C], index_i, steps[C], coefficient_i);
      end
      see(U, 64'($signed(index_i)));
      see(C, 64'($signed(coefficient_i)));
      steps[C]++;
    end
    if (products_q) begin
      if (is_traced(P)) $fwrite(file, "p %0d %0d %h\n", steps[P], beats[P], products_i);
      for (int j = 0; j < int'(Lanes); j++) begin
        if (is_kept(P, j)) see(P, 64'($signed(products_i[j])));
      end
      advance(P);
    end
    if (increments_used_i) begin
      if (is_traced(A)) begin
        $fwrite(file, "r %0d %0d %h\n", steps[A], beats[A], random_i);
        $fwrite(file, "a %0d %0d %h\n", steps[A], beats[A], increments_i);
      end
      for (int j = 0; j < int'(Lanes); j++) begin
        if (is_kept(A, j)) see(A, 64'($signed(increments_i[j])));
      end
      advance(A);
    end
    if (written_i) begin
      if (is_traced(Z)) $fwrite(file, "z %0d %0d %h\n", steps[Z], beats[Z], model_i);
      for (int j = 0; j < int'(Lanes); j++) begin
        if (is_kept(Z, j)) see(Z, 64'($signed(model_i[j])));
      end
      advance(Z);
    end
  end

  for (genvar k = 0; k < 6; k++) begin : gen_extremes
    assign extremes_o[2*k+:2] = {high[k], low[k]};
  end

endmodule
