// SPDX-License-Identifier: Apache-2.0

/// Counts the beats of rows: 0 to `last_i`, and from there back to 0.
module beat_counter #(
  /// Bits of the count.
  parameter int unsigned Width = 6
) (
  /// Clock.
  input  logic             clk_i,
  /// Asynchronous reset, active low.
  input  logic             rst_ni,
  /// High to begin at 0 again.
  input  logic             clear_i,
  /// High to count on.
  input  logic             enable_i,
  /// Number of a row's last beat; does not change on the way.
  input  logic [Width-1:0] last_i,
  /// The present beat.
  output logic [Width-1:0] beat_o,
  /// The beat of the next cycle: what a memory of one cycle has to be asked for.
  output logic [Width-1:0] next_o,
  /// High if the present beat is a row's last.
  output logic             is_last_o
);

  logic [Width-1:0] beat_d, beat_q;

  assign is_last_o = beat_q == last_i;

  always_comb begin
    beat_d = beat_q;
    if (clear_i) beat_d = Width'(0);
    else if (enable_i) beat_d = is_last_o ? Width'(0) : beat_q + Width'(1'b1);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      beat_q <= Width'(0);
    end else begin
      beat_q <= beat_d;
    end
  end

  assign beat_o = beat_q;
  assign next_o = beat_d;

endmodule
