// SPDX-License-Identifier: Apache-2.0

// Modules in styles other than this project's, right ones, each in a few lines.

// Stochastic rounding of a value to 6 fewer bits by a random word of 4, saturating; one result waits, with valid and
// ready on both sides.
module waiting_rounder (
  input  logic        clock,
  input  logic        areset,
  input  logic        in_vld,
  output logic        in_rdy,
  input  logic [11:0] in_data,
  input  logic [3:0]  in_rnd,
  output logic        out_vld,
  input  logic        out_rdy,
  output logic [3:0]  out_data
);
  logic signed [12:0] sum;
  logic signed [6:0] whole;
  assign sum = $signed({in_data[11], in_data}) + $signed({7'd0, in_rnd, 2'b10});
  assign whole = sum[12:6];
  assign in_rdy = !out_vld || out_rdy;
  always_ff @(posedge clock or posedge areset) begin
    if (areset) begin
      out_vld <= 1'b0;
    end else if (in_rdy) begin
      out_vld  <= in_vld;
      out_data <= whole > 7 ? 4'd7 : whole < -8 ? 4'd8 : whole[3:0];
    end
  end
endmodule

// A wrapping sum of products that has no enable and no flag; a clear drops the pair that comes with it.
module free_mac (
  input  logic              clk,
  input  logic              rst,
  input  logic              clr,
  input  logic signed [5:0] a,
  input  logic        [4:0] b,
  output logic signed [9:0] y
);
  always_ff @(posedge clk) begin
    if (rst || clr) y <= 10'd0;
    else y <= y + 10'(11'(a) * $signed({6'd0, b}));
  end
endmodule

// Four lanes, one port each, and a valid at the last beat; nothing can wait.
module lanes_dot #(
  parameter int W = 5
) (
  input  logic                clk,
  input  logic                rst_n,
  input  logic                go,
  input  logic                done,
  input  logic signed [W-1:0] x0, x1, x2, x3,
  input  logic signed [W-1:0] w0, w1, w2, w3,
  input  logic [1:0]          mode,
  output logic                ok,
  output logic signed [10:0]  y
);
  logic signed [10:0] total, base;
  logic signed [14:0] exact;
  logic fresh;
  assign base = fresh ? 11'sd0 : total;
  assign exact = 15'(base) + 15'(x0) * 15'(w0) + 15'(x1) * 15'(w1) + 15'(x2) * 15'(w2) + 15'(x3) * 15'(w3);
  assign y = total;
  always_ff @(posedge clk or negedge rst_n) begin
    if (!rst_n) begin
      fresh <= 1'b1;
      ok <= 1'b0;
    end else begin
      ok <= go & done & (mode == 2'd2);
      if (go) begin
        fresh <= done;
        total <= exact > 1023 ? 11'sd1023 : exact < -1023 ? -11'sd1023 : exact[10:0];
      end
    end
  end
endmodule

// Marsaglia's generator, which shows its seed first, runs without end, and has a register behind it.
module free_xorshift (
  input  logic        clk,
  input  logic        rst,
  output logic [7:0]  low
);
  logic [31:0] state, left, right;
  assign left = state ^ (state << 13);
  assign right = left ^ (left >> 17);
  always_ff @(posedge clk) begin
    state <= rst ? 32'd7 : right ^ (right << 5);
    low   <= state[7:0];
  end
endmodule

// Wires only: cuts 5 bits of an unsigned value, and saturates to 3.
module wired_rounder (
  input  logic [8:0] x,
  output logic [2:0] y,
  output logic       over
);
  assign over = x[8];
  assign y = x[8] ? 3'd7 : x[7:5];
endmodule
